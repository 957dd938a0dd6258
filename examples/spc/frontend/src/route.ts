/** The characteristic in the page's address: /characteristics/3. */
import { useSyncExternalStore } from "react";

const MOVED = "spc:moved";

export function characteristicIn(path: string): number | undefined {
  const id = /^\/characteristics\/(\d+)\/?$/.exec(path)?.[1];
  return id === undefined ? undefined : Number(id);
}

export const pathOf = (characteristic: number) => `/characteristics/${characteristic}`;

export function goTo(path: string) {
  window.history.pushState(null, "", path);
  window.dispatchEvent(new Event(MOVED));
}

export function usePath(): string {
  return useSyncExternalStore(subscribe, () => window.location.pathname);
}

function subscribe(changed: () => void) {
  window.addEventListener("popstate", changed);
  window.addEventListener(MOVED, changed);
  return () => {
    window.removeEventListener("popstate", changed);
    window.removeEventListener(MOVED, changed);
  };
}
