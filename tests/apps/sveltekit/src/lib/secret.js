/** Return the client secret in a box of its own; null when there is none. */
export async function fetchSecret(fault) {
  const path = fault === "session-route-typo" ? "/api/sesion" : "/api/session";
  try {
    const response = await fetch(path, { method: "POST" });
    const body = fault === "await-forgotten" ? response.json() : await response.json();
    return { value: body.client_secret };
  } catch (error) {
    console.error("no session", error);
    return null;
  }
}
