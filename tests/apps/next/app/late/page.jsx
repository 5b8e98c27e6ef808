import Late from "./late";

/** The handler comes so many milliseconds after the page lives: `/late?ms=1000`. */
export default async function Page({ searchParams }) {
  const { ms = "1000" } = await searchParams;
  return <Late delayMs={Number(ms)} />;
}
