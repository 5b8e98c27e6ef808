"use client";

import { useEffect, useState } from "react";

/** Fetch the client secret as soon as the page lives; null until it is there. */
export function useSecret(fault) {
  const [secret, setSecret] = useState(null);
  useEffect(() => {
    const aborted = new AbortController();
    const path = fault === "session-route-typo" ? "/api/sesion" : "/api/session";
    const read = async () => {
      const response = await fetch(path, { method: "POST", signal: aborted.signal });
      // The fault is the classic one: the promise of the body is taken for the body.
      const body = fault === "await-forgotten" ? response.json() : await response.json();
      setSecret({ value: body.client_secret });
    };
    read().catch((error) => error.name !== "AbortError" && console.error("no session", error));
    return () => aborted.abort();
  }, [fault]);
  return secret;
}
