import { useChatKit } from "@openai/chatkit-react";
import { useEffect, useState } from "react";
import Box from "./box";

async function fetchSecret(fault, signal) {
  const path = fault === "session-route-typo" ? "/api/sesion" : "/api/session";
  const response = await fetch(path, { method: "POST", signal });
  const body = fault === "await-forgotten" ? response.json() : await response.json();
  return body.client_secret;
}

function Chat({ secret, fault }) {
  const getClientSecret = async () => {
    if (fault === "secret-as-object") return { client_secret: secret };
    return fault === "fetched-twice" ? fetchSecret("") : secret;
  };
  const { control } = useChatKit({ api: { getClientSecret } });
  return <Box control={control} fault={fault} />;
}

/** A button that opens the chat; the secret is fetched as soon as the page lives. */
export default function Hosted({ fault }) {
  const [secret, setSecret] = useState(null);
  const [isOpen, setIsOpen] = useState(false);
  const [presses, setPresses] = useState(0);
  useEffect(() => {
    const aborted = new AbortController();
    fetchSecret(fault, aborted.signal).then(
      (value) => setSecret({ value }),
      (error) => error.name !== "AbortError" && console.error("no session", error),
    );
    return () => aborted.abort();
  }, [fault]);
  const press = () => {
    setPresses((count) => count + 1);
    setIsOpen(true);
  };
  return (
    <main>
      <button type="button" onClick={press} data-presses={presses}>
        Open chat
      </button>
      {isOpen && secret && <Chat secret={secret.value} fault={fault} />}
    </main>
  );
}
