import type { MouseEvent } from "react";
import type { Characteristic } from "../api";
import { specification } from "../specification";
import { goTo, pathOf } from "../route";

interface Props {
  all: Characteristic[];
  selected: number | undefined;
}

export function Characteristics({ all, selected }: Props) {
  return (
    <ul>
      {all.map((it) => (
        <li key={it.id}>
          <a href={pathOf(it.id)} aria-current={it.id === selected ? "page" : undefined} onClick={(event) => follow(event, pathOf(it.id))}>
            <span className="name">{it.name}</span>
            <span className="note">{specification(it)}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}

/** Follows a link without loading the page again, unless the user opens another tab or window. */
function follow(event: MouseEvent, path: string) {
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  goTo(path);
}
