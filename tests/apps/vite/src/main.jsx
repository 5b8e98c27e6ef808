import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import Custom from "./custom";
import Hosted from "./hosted";

const Page = location.pathname === "/custom" ? Custom : Hosted;

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <Page fault={document.documentElement.dataset.fault} />
  </StrictMode>,
);
