import react from "@vitejs/plugin-react";

const backend = `http://127.0.0.1:${process.env.BACKEND_PORT ?? 8000}`;

/** What the Python backend does to the built page, done to the page of the development server. */
const withFault = {
  name: "with-fault",
  apply: "serve",
  transformIndexHtml: (html) => {
    const fault = process.env.APP_FAULT ?? "";
    const kept = fault === "script-missing" ? html.replace(/<script src="https:\/\/cdn[^>]*><\/script>/, "") : html;
    return kept.replaceAll("%FAULT%", fault);
  },
};

export default {
  plugins: [react(), withFault],
  server: { strictPort: true, proxy: { "/api": backend, "/support": backend } },
};
