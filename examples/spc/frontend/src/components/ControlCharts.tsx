import type { Characteristic } from "../api";
import { formatWhen, plural } from "../format";
import { useChart } from "../queries";
import { specification } from "../specification";
import { ControlChart } from "./ControlChart";
import { Loaded } from "./Loaded";

/** The newest charts of a characteristic. */
export function ControlCharts({ characteristic }: { characteristic: Characteristic }) {
  const query = useChart(characteristic.id);
  return (
    <section className="panel" aria-labelledby="charts">
      <h2 id="charts">{characteristic.name}</h2>
      <p className="note">Specification: {specification(characteristic)}</p>
      <Loaded query={query} what="the charts">
        {(set) =>
          set === null || set.charts.length === 0 ? (
            <p className="empty">
              No chart was computed yet. One needs{" "}
              {characteristic.subgroup_size > 1 ? `a few subgroups of ${characteristic.subgroup_size} measurements` : "a few measurements"}; it
              shows here by itself.
            </p>
          ) : (
            <>
              {set.charts.map((chart) => (
                <ControlChart key={chart.name} chart={chart} unit={characteristic.unit} />
              ))}
              <p className="note">
                Computed {formatWhen(set.computed_at, new Date())} from {plural(set.measurements, "measurement")}.
              </p>
            </>
          )
        }
      </Loaded>
    </section>
  );
}
