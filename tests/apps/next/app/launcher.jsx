"use client";

import { useState } from "react";
import Chat from "./chat";
import { useSecret } from "./secret";

/** A button that opens the chat; what it says stays, so that a toggle can be pressed twice. */
export default function Launcher({ fault, isToggle = false }) {
  const secret = useSecret(fault);
  const [isOpen, setIsOpen] = useState(false);
  const [presses, setPresses] = useState(0);
  const press = () => {
    setPresses((count) => count + 1);
    setIsOpen((open) => (isToggle ? !open : true));
  };
  return (
    <>
      <button type="button" onClick={press} data-presses={presses}>
        {isToggle ? "Toggle chat" : "Open chat"}
      </button>
      {isOpen && secret && <Chat secret={secret.value} fault={fault} />}
    </>
  );
}
