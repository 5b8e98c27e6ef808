"use client";

import { useEffect, useState } from "react";
import { useSecret } from "../secret";

/** A button whose handler, and the chat, come by a dynamic import that takes its time. */
export default function Late({ delayMs }) {
  const secret = useSecret("");
  const [Chat, setChat] = useState(null);
  const [isOpen, setIsOpen] = useState(false);
  const [presses, setPresses] = useState(0);
  useEffect(() => {
    const timer = setTimeout(async () => {
      const module = await import("../chat");
      setChat(() => module.default);
    }, delayMs);
    return () => clearTimeout(timer);
  }, [delayMs]);
  const press = Chat
    ? () => {
        setPresses((count) => count + 1);
        setIsOpen((open) => !open);
      }
    : undefined;
  return (
    <>
      <button type="button" onClick={press} data-presses={presses}>
        Open chat
      </button>
      {Chat && isOpen && secret && <Chat secret={secret.value} fault="" />}
    </>
  );
}
