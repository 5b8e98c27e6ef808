const FAULT = process.env.APP_FAULT ?? "";

/** Make a ChatKit session, and hand out its secret. */
export default defineEventHandler(async () => {
  const key = FAULT === "key-missing" ? process.env.OPENAI_KEY : process.env.OPENAI_API_KEY;
  if (!key) throw createError({ statusCode: 500, statusMessage: "OPENAI_API_KEY is not set" });
  if (FAULT === "backend-throws") throw new Error("cannot read the user");
  const base = process.env.OPENAI_BASE_URL ?? "https://api.openai.com/v1";
  const session = await $fetch(`${base}/chatkit/sessions`, {
    method: "POST",
    headers: { Authorization: `Bearer ${key}`, ...(FAULT === "beta-header-missing" ? {} : { "OpenAI-Beta": "chatkit_beta=v1" }) },
    body: { workflow: { id: "wf_support" }, user: "visitor" },
  });
  if (FAULT === "json-key-wrong") return { clientSecret: session.client_secret };
  return { client_secret: session.client_secret };
});
