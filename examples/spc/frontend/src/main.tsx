import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { Failure } from "./components/Failure";
import { makeQueryClient } from "./queries";
import "./styles.css";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no element with the id 'root'.");

createRoot(root).render(
  <StrictMode>
    <Failure>
      <QueryClientProvider client={makeQueryClient()}>
        <App />
      </QueryClientProvider>
    </Failure>
  </StrictMode>,
);

// Not in development: it would cache files that hot reload changes.
if (import.meta.env.PROD && "serviceWorker" in navigator) {
  navigator.serviceWorker.register("/sw.js").catch((error: unknown) => console.warn("The service worker was not registered:", error));
}
