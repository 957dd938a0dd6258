/** The backend's API: types of its answers, and messages for its failures. */

export interface Page<T> {
  count: number;
  results: T[];
}

export interface Characteristic {
  id: number;
  name: string;
  unit: string;
  target: number;
  lower_limit: number;
  upper_limit: number;
  subgroup_size: number;
}

export interface Point {
  at: string;
  value: number;
  /** Names of the rules whose pattern this point completes. */
  rules: string[];
}

export interface Chart {
  name: string;
  center: number;
  lower: number;
  upper: number;
  sigma: number;
  points: Point[];
}

export interface ChartSet {
  characteristic: number;
  kind: string;
  computed_at: string;
  measurements: number;
  charts: Chart[];
}

export interface Signal {
  id: number;
  characteristic: number;
  rule: string;
  chart: string;
  at: string;
  value: number;
  raised_at: string;
}

export interface Job {
  characteristic: number;
  start: string;
  minutes: number;
}

export interface Plan {
  computed_at: string;
  horizon_hours: number;
  /** Minutes of work that can be done in an hour. */
  capacity_per_hour: number;
  jobs: Job[];
  late: number;
}

/** A failed request, with a message for the user of the page. */
export class ApiError extends Error {
  /** HTTP status; undefined if there was no answer. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

export const fetchCharacteristics = () => get<Page<Characteristic>>("/api/characteristics/");
/** Null until a chart was computed. */
export const fetchChart = (characteristic: number) => getIfThere<ChartSet>(`/api/charts/${characteristic}/`);
export const fetchSignals = () => get<Page<Signal>>("/api/signals/");
/** Null until a plan was made. */
export const fetchPlan = () => getIfThere<Plan>("/api/plan/");

export const postMeasurement = (characteristic: number, value: number): Promise<unknown> =>
  request("/api/measurements/", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ characteristic, value }),
  });

const get = <T>(path: string) => request(path) as Promise<T>;

async function getIfThere<T>(path: string): Promise<T | null> {
  try {
    return await get<T>(path);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

async function request(path: string, options: RequestInit = {}): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch {
    throw new ApiError("The server can't be reached.");
  }
  const body = await json(response);
  if (response.ok && body !== undefined) return body;
  throw new ApiError(failure(response.status, body), response.status);
}

/** Undefined if the answer isn't JSON, such as the error page of a proxy. */
async function json(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}

/** Django REST framework answers `{"detail": "…"}`, or `{"<field>": ["…"]}` for errors in a form. */
function failure(status: number, body: unknown): string {
  if (status >= 500) return `The backend does not answer as it should (HTTP ${status}).`;
  if (body && typeof body === "object") {
    if ("detail" in body && typeof body.detail === "string") return body.detail;
    const fields = Object.entries(body).map(([field, messages]) => {
      const text = [messages].flat().join(" ");
      return field === "non_field_errors" ? text : `${field}: ${text}`;
    });
    if (fields.length > 0) return fields.join(" ");
  }
  return `The answer could not be understood (HTTP ${status}).`;
}
