import { Characteristics } from "./components/Characteristics";
import { ControlCharts } from "./components/ControlCharts";
import { LiveBadge } from "./components/LiveBadge";
import { Loaded } from "./components/Loaded";
import { MeasurementForm } from "./components/MeasurementForm";
import { PlanPanel } from "./components/PlanPanel";
import { Signals } from "./components/Signals";
import { LiveContext, useCharacteristics, useLive } from "./queries";
import { characteristicIn, usePath } from "./route";

export function App() {
  const live = useLive();
  return (
    <LiveContext value={live}>
      <header className="top">
        <h1>Process control</h1>
        <LiveBadge state={live} />
      </header>
      <Page />
    </LiveContext>
  );
}

function Page() {
  const query = useCharacteristics();
  const path = usePath();
  return (
    <Loaded query={query} what="the characteristics">
      {({ results }) => {
        const named = characteristicIn(path);
        const selected = named === undefined ? results[0] : results.find((it) => it.id === named);
        return (
          <main>
            <section className="panel list" aria-labelledby="characteristics">
              <h2 id="characteristics">Characteristics</h2>
              {results.length === 0 ? (
                <p className="empty">
                  There are none yet. Add one in the <a href="/admin/">admin pages</a>, and measure it.
                </p>
              ) : (
                <Characteristics all={results} selected={selected?.id} />
              )}
            </section>
            <div className="charts">
              {selected ? (
                <>
                  <ControlCharts key={selected.id} characteristic={selected} />
                  <MeasurementForm key={`form-${selected.id}`} characteristic={selected} />
                </>
              ) : (
                results.length > 0 && <p className="panel empty">There is no characteristic {named}. Choose one of the list.</p>
              )}
            </div>
            <div className="side">
              <Signals characteristics={results} />
              <PlanPanel characteristics={results} />
            </div>
          </main>
        );
      }}
    </Loaded>
  );
}
