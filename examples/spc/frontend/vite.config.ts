import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The address of the backend for the development server. In production, nginx passes on these requests.
const target = process.env.BACKEND_URL || "http://backend:8000";
// The browser's Host is kept, because Django compares it with the page's origin. `xfwd` adds X-Forwarded headers.
const backend = { target, xfwd: true };

export default defineConfig({
  plugins: [react()],
  server: {
    // Listens on all addresses, because requests come from outside of the container.
    host: "0.0.0.0",
    port: 5173,
    strictPort: true,
    // The header with the release, as nginx and the backend set it.
    headers: { "X-Release": process.env.RELEASE || "dev" },
    // Besides localhost and addresses, accept the service's name, which other containers use.
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
    // Separate files for libraries, so that a new release of our code leaves them in the browsers' caches.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "libraries", test: /node_modules/ }] } } },
    // Most of the large file is the library for charts.
    chunkSizeWarningLimit: 800,
  },
  test: {
    environment: "jsdom",
    setupFiles: ["src/testing/setup.ts"],
    restoreMocks: true,
  },
});
