"use client";

import { ChatKit, useChatKit } from "@openai/chatkit-react";

const fetchAgain = async () => (await (await fetch("/api/session", { method: "POST" })).json()).client_secret;

/** The widget, with a secret that was fetched before. */
export default function Chat({ secret, fault }) {
  const getClientSecret = async () => {
    if (fault === "secret-as-object") return { client_secret: secret };
    return fault === "fetched-twice" ? fetchAgain() : secret;
  };
  const { control } = useChatKit({ api: { getClientSecret } });
  return (
    <div style={{ width: 360, height: fault === "no-height" ? 0 : 600, overflow: "hidden" }}>
      {fault !== "never-rendered" && <ChatKit control={control} style={{ width: "100%", height: "100%" }} />}
    </div>
  );
}
