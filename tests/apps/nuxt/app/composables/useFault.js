/** What is broken on purpose: the server reads it, the page gets it with its state. */
export const useFault = () => useState("fault", () => (import.meta.server ? process.env.APP_FAULT : "") ?? "");
