import { ChatKit } from "@openai/chatkit-react";

/** The widget in its container. */
export default function Box({ control, fault }) {
  return (
    <div style={{ width: 360, height: fault === "no-height" ? 0 : 600, overflow: "hidden" }}>
      {fault !== "never-rendered" && <ChatKit control={control} style={{ width: "100%", height: "100%" }} />}
    </div>
  );
}
