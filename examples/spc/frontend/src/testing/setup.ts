import { cleanup } from "@testing-library/react";
import { afterEach, vi } from "vitest";

// jsdom computes no layout, and a chart in a box without a size draws nothing.
HTMLElement.prototype.getBoundingClientRect = () => new DOMRect(0, 0, 800, 260);
vi.stubGlobal(
  "ResizeObserver",
  class {
    observe() {}
    unobserve() {}
    disconnect() {}
  },
);

afterEach(cleanup);
