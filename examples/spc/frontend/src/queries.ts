/** The data of the page, and when it is fetched again. */
import { QueryClient, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useState } from "react";
import * as api from "./api";
import { connectLive, type LiveEvent, liveUrl, type LiveState } from "./live";

const keys = {
  characteristics: ["characteristics"],
  chart: (characteristic: number) => ["chart", characteristic],
  signals: ["signals"],
  plan: ["plan"],
};

/** Whether the live connection is open. If not, the page asks often. */
export const LiveContext = createContext<LiveState>("connecting");
const ASK_OFTEN = 10_000;
/** With a live connection, ask seldom, but do ask: a connection can be lost unnoticed. */
const ASK_SELDOM = 60_000;

function useInterval() {
  return { refetchInterval: useContext(LiveContext) === "open" ? ASK_SELDOM : ASK_OFTEN };
}

export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // Fetch even if the browser reports that it is offline: the server may be on this machine.
        networkMode: "always",
        retryDelay: 500,
        retry: (failures, error) => failures < 1 && !(error instanceof api.ApiError && error.status !== undefined && error.status < 500),
      },
      mutations: { networkMode: "always" },
    },
  });
}

export const useCharacteristics = () => useQuery({ queryKey: keys.characteristics, queryFn: api.fetchCharacteristics, ...useInterval() });

export const useChart = (characteristic: number) =>
  useQuery({ queryKey: keys.chart(characteristic), queryFn: () => api.fetchChart(characteristic), ...useInterval() });

export const useSignals = () => useQuery({ queryKey: keys.signals, queryFn: api.fetchSignals, ...useInterval() });

export const usePlan = () => useQuery({ queryKey: keys.plan, queryFn: api.fetchPlan, ...useInterval() });

export const usePostMeasurement = (characteristic: number) =>
  useMutation({ mutationFn: (value: number) => api.postMeasurement(characteristic, value) });

/** Keeps the data up to date while the page is open. */
export function useLive(): LiveState {
  const client = useQueryClient();
  const [state, setState] = useState<LiveState>("connecting");
  useEffect(
    () =>
      connectLive(liveUrl(window.location), {
        onState: setState,
        onOpen: () => void client.invalidateQueries(),
        onEvent: (event) => void client.invalidateQueries({ queryKey: keyOf(event) }),
      }),
    [client],
  );
  return state;
}

function keyOf(event: LiveEvent) {
  switch (event.type) {
    case "chart":
      return keys.chart(event.characteristic);
    case "signal":
      return keys.signals;
    case "plan":
      return keys.plan;
  }
}
