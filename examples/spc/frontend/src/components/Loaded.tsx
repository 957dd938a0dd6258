import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

interface Props<T> {
  query: UseQueryResult<T>;
  /** As in "Loading the signals…". */
  what: string;
  children: (data: T) => ReactNode;
}

/** What was fetched; before that and where it fails, which of the two it is. Old data stays, and is called old. */
export function Loaded<T>({ query, what, children }: Props<T>) {
  if (query.isPending) {
    return (
      <p className="loading" role="status">
        Loading {what}…
      </p>
    );
  }
  const failed = query.isError && (
    <div className="error" role="alert">
      <p>
        Could not load {what}. {query.error.message}
        {query.data !== undefined && " What is shown here is older."}
      </p>
      <button type="button" onClick={() => void query.refetch()} disabled={query.isFetching}>
        Try again
      </button>
    </div>
  );
  return (
    <>
      {failed}
      {query.data !== undefined && children(query.data)}
    </>
  );
}
