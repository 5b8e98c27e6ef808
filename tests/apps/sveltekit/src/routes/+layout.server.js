import { env } from "$env/dynamic/private";

export const load = () => ({ fault: env.APP_FAULT ?? "" });
