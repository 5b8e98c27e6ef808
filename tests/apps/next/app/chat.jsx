"use client";

import { ChatKit, useChatKit } from "@openai/chatkit-react";

/** The widget, with a secret that was fetched before. */
export default function Chat({ secret, fault }) {
  const { control } = useChatKit({
    api: { getClientSecret: async () => (fault === "secret-as-object" ? { client_secret: secret } : secret) },
  });
  const height = fault === "no-height" ? 0 : 600;
  return (
    <div style={{ width: 360, height, overflow: "hidden" }}>
      {fault === "never-rendered" ? null : <ChatKit control={control} style={{ width: "100%", height: "100%" }} />}
      {fault === "double-render" && <ChatKit control={control} style={{ width: "100%", height: "100%" }} />}
    </div>
  );
}
