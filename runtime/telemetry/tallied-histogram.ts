// A histogram that is observed several times a call: an observation only counts, and the exposition is made when somebody
// scrapes. prom-client's own checks and hashes the labels of every observation anew.
import { Histogram } from "prom-client";
import type { HistogramConfiguration } from "prom-client";

type Exposition<T extends string> = Awaited<ReturnType<Histogram<T>["get"]>>;
type Value<T extends string> = Exposition<T>["values"][number];

/** One series: the observations of one set of label values. */
export class Tally {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #count = 0;
  #sum = 0;

  /** @param bounds upper bounds, ascending; what is above the last counts only in the total. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length);
  }

  observe(value: number): void {
    this.#count += 1;
    this.#sum += value;
    for (let at = 0; at < this.#bounds.length; at += 1) {
      if (value > (this.#bounds[at] ?? Infinity)) continue;
      this.#counts[at] = (this.#counts[at] ?? 0) + 1;
      return;
    }
  }

  /** In the order of the exposition: cumulated buckets, sum, count. */
  values<T extends string>(name: string, labels: Readonly<Record<T, string>>): Value<T>[] {
    let upTo = 0;
    const bucket = (le: number | string, value: number): Value<T> =>
      ({ metricName: `${name}_bucket`, labels: { le, ...labels }, value }) as Value<T>;
    return [
      ...this.#bounds.map((bound, at) => bucket(bound, (upTo += this.#counts[at] ?? 0))),
      bucket("+Inf", this.#count),
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: this.#count },
    ];
  }
}

export interface TalliedOptions<T extends string> extends HistogramConfiguration<T> {
  readonly buckets: number[];
}

/** In the exposition the same as prom-client's histogram. */
export class TalliedHistogram<T extends string> extends Histogram<T> {
  readonly #options: TalliedOptions<T>;
  readonly #series: { readonly labels: Readonly<Record<T, string>>; readonly tally: Tally }[] = [];

  constructor(options: TalliedOptions<T>) {
    super(options);
    this.#options = options;
  }

  /** A new series; the caller keeps it and makes no other with the same labels. */
  series(labels: Readonly<Record<T, string>>): Tally {
    const tally = new Tally(this.#options.buckets);
    this.#series.push({ labels, tally });
    return tally;
  }

  override get(): Promise<Exposition<T>> {
    return Promise.resolve(this.getForPromString());
  }

  /** What the registry asks instead of `get` where a metric has it. */
  getForPromString(): Exposition<T> {
    const { name, help } = this.#options;
    const values = this.#series.flatMap(({ labels, tally }) => tally.values(name, labels));
    // prom-client declares the type as the number of an enumeration that it does not have; it is the word.
    return { name, help, type: "histogram", aggregator: "sum", values } as unknown as Exposition<T>;
  }
}
