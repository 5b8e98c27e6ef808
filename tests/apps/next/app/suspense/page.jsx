import { Suspense } from "react";
import Launcher from "../launcher";

/** The server takes its time: React streams the button late, and hydrates it by itself. */
async function Slow() {
  await new Promise((resolve) => setTimeout(resolve, 500));
  return <Launcher fault={process.env.APP_FAULT ?? ""} />;
}

export default function Page() {
  return (
    <>
      <h1>Support</h1>
      <Suspense fallback={<p>Loading…</p>}>
        <Slow />
      </Suspense>
    </>
  );
}
