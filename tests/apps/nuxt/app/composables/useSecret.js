/** The client secret, fetched as soon as the page lives; null until it is there. */
export function useSecret(fault) {
  const secret = ref(null);
  onMounted(async () => {
    const path = fault === "session-route-typo" ? "/api/sesion" : "/api/session";
    try {
      const body = fault === "await-forgotten" ? $fetch(path, { method: "POST" }) : await $fetch(path, { method: "POST" });
      secret.value = { value: body.client_secret };
    } catch (error) {
      console.error("no session", error);
    }
  });
  return secret;
}
