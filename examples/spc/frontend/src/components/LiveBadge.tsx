import type { LiveState } from "../live";

const TEXT: Record<LiveState, string> = {
  open: "Live",
  connecting: "Connecting…",
  waiting: "Not live, connecting again soon",
};

export function LiveBadge({ state }: { state: LiveState }) {
  return (
    <p className={`live ${state}`} role="status">
      {TEXT[state]}
    </p>
  );
}
