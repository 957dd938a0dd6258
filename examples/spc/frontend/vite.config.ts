import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Where the development server sends what is the backend's. In production nginx does it.
const target = process.env.BACKEND_URL || "http://backend:8000";
// The browser's Host stays: Django compares it with the page's origin. `xfwd` tells the rest of where a request came from.
const backend = { target, xfwd: true };

export default defineConfig({
  plugins: [react()],
  server: {
    // Reached from outside of its container, on the port that is published.
    host: "0.0.0.0",
    port: 5173,
    strictPort: true,
    // As nginx and the backend do: which release answers.
    headers: { "X-Release": process.env.RELEASE || "dev" },
    // Beside localhost and addresses: the service's own name, for other containers.
    allowedHosts: ["frontend"],
    proxy: {
      "/api": backend,
      "/admin": backend,
      "/static": backend,
      "/media": backend,
      "/ws": { ...backend, ws: true },
    },
  },
  build: {
    // Libraries apart from our own code: a release of it leaves them in the browsers' caches.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "libraries", test: /node_modules/ }] } } },
    // The charts' library is most of it.
    chunkSizeWarningLimit: 800,
  },
  test: {
    environment: "jsdom",
    setupFiles: ["src/testing/setup.ts"],
    restoreMocks: true,
  },
});
