const FAULT = process.env.APP_FAULT ?? "";

/** Make a ChatKit session, and hand out its secret. */
export async function POST() {
  const key = FAULT === "key-missing" ? process.env.OPENAI_KEY : process.env.OPENAI_API_KEY;
  if (FAULT === "key-missing" && !key) {
    return Response.json({ error: "Missing OPENAI_API_KEY environment variable" }, { status: 500 });
  }
  if (FAULT === "backend-throws") throw new Error("cannot read the user");
  const answer = await fetch(`${process.env.OPENAI_BASE_URL ?? "https://api.openai.com/v1"}/chatkit/sessions`, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Authorization: `Bearer ${key}`,
      ...(FAULT === "beta-header-missing" ? {} : { "OpenAI-Beta": "chatkit_beta=v1" }),
    },
    body: JSON.stringify({ workflow: { id: "wf_support" }, user: "visitor" }),
  });
  const session = await answer.json();
  if (!answer.ok) return Response.json({ error: session.error?.message ?? "no session" }, { status: answer.status });
  if (FAULT === "json-key-wrong") return Response.json({ clientSecret: session.client_secret });
  return Response.json({ client_secret: session.client_secret });
}
