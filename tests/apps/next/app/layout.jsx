import Script from "next/script";

export const metadata = { title: "Support" };
export const dynamic = "force-dynamic";

export default function Layout({ children }) {
  const isLoaded = process.env.APP_FAULT !== "script-missing";
  return (
    <html lang="en">
      <head>
        <link rel="icon" href="data:," />
      </head>
      <body>
        {isLoaded && <Script src="https://cdn.platform.openai.com/deployments/chatkit/chatkit.js" strategy="afterInteractive" />}
        <main>{children}</main>
      </body>
    </html>
  );
}
