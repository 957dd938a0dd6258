import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

interface Props<T> {
  query: UseQueryResult<T>;
  /** The name of the data, as in "Loading the signals…". */
  what: string;
  children: (data: T) => ReactNode;
}

/** Shows the data, or that it is loading or failed. If an update fails, it shows the old data and says that it is old. */
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
