const fault = document.documentElement.dataset.fault;
const isCustom = location.pathname === "/custom";
const URLS = { "url-typo": "/support/chatkitt", "other-origin": `http://127.0.0.1:${location.port}/support/chatkit` };

async function fetchSecret() {
  const path = fault === "session-route-typo" ? "/api/sesion" : "/api/session";
  const response = await fetch(path, { method: "POST" });
  const body = fault === "await-forgotten" ? response.json() : await response.json();
  return body.client_secret;
}

const secret = isCustom ? null : fetchSecret();
secret?.catch((error) => console.error("no session", error));

function options() {
  if (isCustom) {
    const key = fault === "domain-key-missing" ? {} : { domainKey: "domain_pk_support" };
    return { api: { url: URLS[fault] ?? "/support/chatkit", ...key } };
  }
  return {
    api: {
      getClientSecret: async () => {
        if (fault === "secret-as-object") return { client_secret: await secret };
        return fault === "fetched-twice" ? fetchSecret() : secret;
      },
    },
  };
}

async function open() {
  await secret;
  const box = document.getElementById("chat");
  if (fault === "no-height") box.style.height = "0";
  const element = document.createElement("openai-chatkit");
  element.style.cssText = "display: block; width: 100%; height: 100%";
  if (fault !== "never-rendered") box.append(element);
  await customElements.whenDefined("openai-chatkit");
  element.setOptions(options());
}

document.querySelector("button").addEventListener("click", (event) => {
  const button = event.currentTarget;
  button.dataset.presses = Number(button.dataset.presses ?? 0) + 1;
  if (button.dataset.presses === "1") open();
});
