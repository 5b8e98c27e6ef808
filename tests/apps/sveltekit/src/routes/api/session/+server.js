import { error, json } from "@sveltejs/kit";
import { env } from "$env/dynamic/private";

/** Make a ChatKit session, and hand out its secret. */
export async function POST() {
  const key = env.APP_FAULT === "key-missing" ? env.OPENAI_KEY : env.OPENAI_API_KEY;
  if (!key) error(500, "OPENAI_API_KEY is not configured");
  if (env.APP_FAULT === "backend-throws") throw new Error("cannot read the user");
  const answer = await fetch(`${env.OPENAI_BASE_URL ?? "https://api.openai.com/v1"}/chatkit/sessions`, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Authorization: `Bearer ${key}`,
      ...(env.APP_FAULT === "beta-header-missing" ? {} : { "OpenAI-Beta": "chatkit_beta=v1" }),
    },
    body: JSON.stringify({ workflow: { id: "wf_support" }, user: "visitor" }),
  });
  const session = await answer.json();
  if (!answer.ok) return json({ error: "Failed to create ChatKit session", details: session }, { status: answer.status });
  return json(env.APP_FAULT === "json-key-wrong" ? { clientSecret: session.client_secret } : { client_secret: session.client_secret });
}
