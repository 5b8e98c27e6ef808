export default defineNuxtConfig({
  compatibilityDate: "2025-12-01",
  telemetry: false,
  devtools: { enabled: false },
  vue: { compilerOptions: { isCustomElement: (tag) => tag.startsWith("openai-") } },
});
