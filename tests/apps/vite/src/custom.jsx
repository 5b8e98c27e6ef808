import { useChatKit } from "@openai/chatkit-react";
import { useState } from "react";
import Box from "./box";

const URLS = { "url-typo": "/support/chatkitt", "other-origin": `http://127.0.0.1:${location.port}/support/chatkit` };

function Chat({ fault }) {
  const { control } = useChatKit({
    api: {
      url: URLS[fault] ?? "/support/chatkit",
      ...(fault === "domain-key-missing" ? {} : { domainKey: "domain_pk_support" }),
    },
  });
  return <Box control={control} fault={fault} />;
}

/** A button that opens the chat of a backend of our own. */
export default function Custom({ fault }) {
  const [isOpen, setIsOpen] = useState(false);
  const [presses, setPresses] = useState(0);
  const press = () => {
    setPresses((count) => count + 1);
    setIsOpen(true);
  };
  return (
    <main>
      <button type="button" onClick={press} data-presses={presses}>
        Open chat
      </button>
      {isOpen && <Chat fault={fault} />}
    </main>
  );
}
