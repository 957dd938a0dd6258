import type { Characteristic } from "../api";
import { decimalsFor, formatNumber, formatWhen } from "../format";
import { useSignals } from "../queries";
import { goTo, pathOf } from "../route";
import { ruleNames, ruleText } from "../rules";
import { byPoint, type SignalledPoint } from "../signalModel";
import { Loaded } from "./Loaded";

const SHOWN = 8;

/** The newest signals of all characteristics. */
export function Signals({ characteristics }: { characteristics: Characteristic[] }) {
  const query = useSignals();
  return (
    <section className="panel" aria-labelledby="signals">
      <h2 id="signals">Latest signals</h2>
      <Loaded query={query} what="the signals">
        {({ count, results }) =>
          results.length === 0 ? (
            <p className="empty">None: no point has been out of control.</p>
          ) : (
            <>
              <ol className="signals">
                {byPoint(results)
                  .slice(0, SHOWN)
                  .map((point) => (
                    <Entry key={`${point.characteristic} ${point.chart} ${point.at}`} point={point} of={characteristics.find((it) => it.id === point.characteristic)} />
                  ))}
              </ol>
              <p className="note">{count} in all.</p>
            </>
          )
        }
      </Loaded>
    </section>
  );
}

function Entry({ point, of }: { point: SignalledPoint; of: Characteristic | undefined }) {
  const decimals = of ? decimalsFor(of.upper_limit - of.lower_limit) : 2;
  return (
    <li>
      <div className="head">
        <button type="button" className="link" onClick={() => goTo(pathOf(point.characteristic))}>
          {of?.name ?? `Characteristic ${point.characteristic}`}
        </button>
        <span className="code">{ruleNames(point.rules)}</span>
      </div>
      <span>
        {point.chart} {formatNumber(point.value, decimals)} {of?.unit}, {formatWhen(point.at, new Date())}
      </span>
      <span className="note">{point.rules.map(ruleText).join("; ")}</span>
    </li>
  );
}
