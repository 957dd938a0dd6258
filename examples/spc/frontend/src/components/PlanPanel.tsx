import type { Characteristic, Plan } from "../api";
import { formatTime, formatWhen, plural } from "../format";
import { hoursOf } from "../planModel";
import { usePlan } from "../queries";
import { Loaded } from "./Loaded";

const SHOWN = 6;

/** The newest capacity plan: the load of the next hours, and the next jobs. */
export function PlanPanel({ characteristics }: { characteristics: Characteristic[] }) {
  const query = usePlan();
  return (
    <section className="panel" aria-labelledby="plan">
      <h2 id="plan">Sampling plan</h2>
      <Loaded query={query} what="the plan">
        {(plan) =>
          plan === null ? <p className="empty">No plan was made yet; the next one shows here by itself.</p> : <PlanView plan={plan} characteristics={characteristics} />
        }
      </Loaded>
    </section>
  );
}

function PlanView({ plan, characteristics }: { plan: Plan; characteristics: Characteristic[] }) {
  const name = (id: number) => characteristics.find((it) => it.id === id)?.name ?? `Characteristic ${id}`;
  const now = Date.now();
  const next = plan.jobs.filter((job) => Date.parse(job.start) + job.minutes * 60_000 > now).slice(0, SHOWN);
  return (
    <>
      <p>
        {plural(plan.jobs.length, "job")} in {plural(plan.horizon_hours, "hour")},{" "}
        {plan.late > 0 ? <strong className="late">{plan.late} of them late</strong> : "all in time"}.
      </p>
      <ul className="hours" aria-label="Load by the hour">
        {hoursOf(plan).map((hour) => {
          const percent = Math.round(hour.load * 100);
          return (
            <li key={hour.start.toISOString()}>
              <span>{formatTime(hour.start.toISOString())}</span>
              <span className={`bar ${percent > 100 ? "over" : ""}`} aria-hidden="true">
                <span style={{ width: `${Math.min(100, percent)}%` }} />
              </span>
              <span>{percent} %</span>
            </li>
          );
        })}
      </ul>
      {next.length === 0 ? (
        <p className="empty">No job is ahead.</p>
      ) : (
        <>
          <h3>Next jobs</h3>
          <ol className="jobs">
            {next.map((job) => (
              <li key={`${job.characteristic} ${job.start}`}>
                <span>{formatTime(job.start)}</span>
                <span>{name(job.characteristic)}</span>
                <span>{job.minutes} min</span>
              </li>
            ))}
          </ol>
        </>
      )}
      <p className="note">
        Planned {formatWhen(plan.computed_at, new Date())} for {plural(plan.capacity_per_hour, "minute")} of work an hour.
      </p>
    </>
  );
}
