import Launcher from "./launcher";

export default function Page() {
  return (
    <>
      <h1>Support</h1>
      <Launcher fault={process.env.APP_FAULT ?? ""} />
    </>
  );
}
