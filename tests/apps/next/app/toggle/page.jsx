import Launcher from "../launcher";

export default function Page() {
  return <Launcher fault={process.env.APP_FAULT ?? ""} isToggle />;
}
