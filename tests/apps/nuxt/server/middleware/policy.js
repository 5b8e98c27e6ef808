/** What a page may load, as an app behind a strict policy would say it; the fault forgets the frame's host. */
const CSP_WITHOUT_FRAME =
  "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' https://cdn.platform.openai.com; " +
  "style-src 'self' 'unsafe-inline'; connect-src 'self' ws: https://api.openai.com";

export default defineEventHandler((event) => {
  if (process.env.APP_FAULT === "csp-without-frame") setHeader(event, "Content-Security-Policy", CSP_WITHOUT_FRAME);
});
