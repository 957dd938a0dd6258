import { CartesianGrid, Line, LineChart, ReferenceLine, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import type { Chart } from "../api";
import { chartModel, type ChartModel, labelled, type PlotPoint } from "../chartModel";
import { formatNumber, formatWhen, plural } from "../format";
import { ruleNames, ruleText } from "../rules";

const HEIGHT = 260;
/** The space above the plot, for the rules of points at its upper edge. */
const HEADROOM = 56;
/** The height of a line of text, in pixels. */
const LABEL_ROOM = 12;
const TICK = { fill: "var(--quiet)" };

/** A control chart: the points in their order, center and limits, and each point out of control with its rules. */
export function ControlChart({ chart, unit }: { chart: Chart; unit: string }) {
  const model = chartModel(chart, unit, new Date());
  return (
    <figure className="chart">
      <figcaption>
        <strong>{chart.name}</strong>
        <span className="legend">
          <span className="center">{model.center.text}</span>
          {model.limits.map((limit) => (
            <span className="limit" key={limit.label}>
              {limit.text}
            </span>
          ))}
          <span>{unit}</span>
        </span>
      </figcaption>
      <p className="visually-hidden">{model.summary}</p>
      {model.points.length === 0 ? <p className="empty">No points yet.</p> : <Plot model={model} unit={unit} />}
      {model.outOfControl.length > 0 && <OutOfControl model={model} unit={unit} />}
    </figure>
  );
}

function Plot({ model, unit }: { model: ChartModel; unit: string }) {
  const { points, center, limits, zones, decimals, outOfControl } = model;
  return (
    <ResponsiveContainer width="100%" height={HEIGHT} initialDimension={{ width: 320, height: HEIGHT }}>
      <LineChart data={points} margin={{ top: outOfControl.length > 0 ? HEADROOM : 12, right: 30, bottom: 0, left: 0 }}>
        <CartesianGrid vertical={false} className="grid" />
        <XAxis tick={TICK} dataKey="index" type="number" domain={["dataMin", "dataMax"]} allowDecimals={false} minTickGap={36} tickFormatter={(index: number) => points[index]?.time ?? ""} />
        <YAxis tick={TICK} domain={["auto", "auto"]} width={58} tickCount={6} tickFormatter={(value: number) => formatNumber(value, decimals)} />
        {zones.map((value) => (
          <ReferenceLine key={value} y={value} className="zone" />
        ))}
        <ReferenceLine y={center.value} className="center" />
        {limits.map((limit) => (
          <ReferenceLine key={limit.label} y={limit.value} className="limit" ifOverflow="extendDomain" />
        ))}
        <Line dataKey="value" type="linear" className="points" dot={Dot} activeDot={{ r: 5 }} isAnimationActive={false} />
        <Tooltip content={({ active, payload }) => (active && payload?.[0] ? <Reading point={payload[0].payload as PlotPoint} unit={unit} decimals={decimals} /> : null)} />
      </LineChart>
    </ResponsiveContainer>
  );
}

interface DotProps {
  cx?: number;
  cy?: number;
  index?: number;
  payload?: PlotPoint;
  points?: readonly { x: number | null; payload?: PlotPoint }[];
}

/** A point out of control differs in shape and has a text, so that color is not the only difference. */
function Dot({ cx, cy, index, payload, points = [] }: DotProps) {
  if (cx === undefined || cy === undefined || index === undefined || !payload) return null;
  if (!payload.outOfControl) return <circle className="dot" cx={cx} cy={cy} r={2.5} />;
  const places = points.map((point) => ({ x: point.x ?? 0, outOfControl: point.payload?.outOfControl ?? false }));
  return (
    <g className="out">
      <rect x={cx - 4} y={cy - 4} width={8} height={8} transform={`rotate(45 ${cx} ${cy})`} />
      {labelled(places, LABEL_ROOM).has(index) && (
        <text x={cx + 4} y={cy - 9} transform={`rotate(-90 ${cx + 4} ${cy - 9})`}>
          {ruleNames(payload.rules)}
        </text>
      )}
    </g>
  );
}

/** All points out of control, even those without a text in the plot. */
function OutOfControl({ model, unit }: { model: ChartModel; unit: string }) {
  return (
    <details>
      <summary>{plural(model.outOfControl.length, "point")} out of control</summary>
      <ul>
        {model.outOfControl.toReversed().map((point) => (
          <li key={point.index}>
            {formatWhen(point.at, new Date())}: {formatNumber(point.value, model.decimals)} {unit}, {point.rules.map(ruleText).join("; ")}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Reading({ point, unit, decimals }: { point: PlotPoint; unit: string; decimals: number }) {
  return (
    <div className="tooltip">
      <strong>
        {formatNumber(point.value, decimals)} {unit}
      </strong>
      <span>{formatWhen(point.at, new Date())}</span>
      {point.rules.map((rule) => (
        <span key={rule} className="rule">
          {rule}: {ruleText(rule)}
        </span>
      ))}
    </div>
  );
}
