import { NextResponse } from "next/server";

/** What a page may load, as an app behind a strict policy would say it; the fault forgets the frame's host. */
const CSP_WITHOUT_FRAME =
  "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' https://cdn.platform.openai.com; " +
  "style-src 'self' 'unsafe-inline'; connect-src 'self' ws: https://api.openai.com";

export function proxy() {
  const response = NextResponse.next();
  if (process.env.APP_FAULT === "csp-without-frame") response.headers.set("Content-Security-Policy", CSP_WITHOUT_FRAME);
  return response;
}
