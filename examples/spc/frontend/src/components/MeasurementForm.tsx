import { type FormEvent, useState } from "react";
import type { Characteristic } from "../api";
import { formatTimeWithSeconds, parseNumber } from "../format";
import { usePostMeasurement } from "../queries";

/** A form for adding a measurement by hand. */
export function MeasurementForm({ characteristic }: { characteristic: Characteristic }) {
  const [typed, setTyped] = useState("");
  const [mistake, setMistake] = useState<string>();
  const [taken, setTaken] = useState<string>();
  const post = usePostMeasurement(characteristic.id);

  function submit(event: FormEvent) {
    event.preventDefault();
    post.reset();
    setTaken(undefined);
    const value = parseNumber(typed);
    if (value === undefined) {
      setMistake(typed.trim() === "" ? "Type the measured value first." : `"${typed.trim()}" is not a number; type one such as 10.02.`);
      return;
    }
    setMistake(undefined);
    post.mutate(value, {
      onSuccess: () => {
        setTyped("");
        setTaken(`${value} ${characteristic.unit} taken at ${formatTimeWithSeconds(new Date().toISOString())}. The chart follows.`);
      },
    });
  }

  const error = mistake ?? (post.isError ? `The measurement was not taken. ${post.error.message}` : undefined);
  return (
    <section className="panel" aria-labelledby="measure">
      <h2 id="measure">Add a measurement</h2>
      <form onSubmit={submit} noValidate>
        <label htmlFor="value">
          {characteristic.name}, in {characteristic.unit}
        </label>
        <div className="row">
          <input
            id="value"
            inputMode="decimal"
            autoComplete="off"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            aria-invalid={error !== undefined}
            aria-describedby="outcome"
          />
          <button type="submit" disabled={post.isPending}>
            {post.isPending ? "Sending…" : "Add"}
          </button>
        </div>
        <p id="outcome" className={error ? "error" : "note"} role={error ? "alert" : "status"}>
          {error ?? taken ?? ""}
        </p>
      </form>
    </section>
  );
}
