/**
 * Lets the wall clock of this process run ahead (or, negative, behind): what `Date` says without an argument. Monotonic
 * clocks and timers stay as they are, because on a real machine with a wrong clock they are right as well.
 */
export function shiftClock(seconds: number): void {
  const TrueDate = Date;
  const trueNow = TrueDate.now;
  const now = () => trueNow() + seconds * 1000;
  TrueDate.now = now;
  const ShiftedDate = new Proxy(TrueDate, {
    apply: () => new TrueDate(now()).toString(),
    construct: (target, given: unknown[], made) =>
      Reflect.construct(target, given.length === 0 ? [now()] : given, made) as Date,
  });
  TrueDate.prototype.constructor = ShiftedDate;
  globalThis.Date = ShiftedDate;
}
