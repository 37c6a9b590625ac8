import type { Budget } from '@llm-platform/shared';
import { nano } from '@llm-platform/shared/display/money';

export interface Forecast {
  /** Nano-dollars at the end of the window, if it goes on like this. */
  projected: bigint;
  /** When it is used up, if that is before the end of the window. */
  exhaustedAt?: Date;
}

/** At the pace of the window so far. Undefined without a window, or when too little of it has passed to tell. */
export function forecast(budget: Budget, now: Date): Forecast | undefined {
  const start = Date.parse(budget.window_starts_at);
  const end = Date.parse(budget.window_ends_at);
  const elapsed = now.getTime() - start;
  if (Number.isNaN(start) || Number.isNaN(end) || elapsed < (end - start) / 50 || now.getTime() >= end)
    return undefined;
  const spent = nano(budget.spent);
  const projected = (spent * BigInt(end - start)) / BigInt(elapsed);
  const limit = nano(budget.limit);
  if (projected <= limit || spent >= limit || spent === 0n) return { projected };
  const left = ((limit - spent) * BigInt(elapsed)) / spent;
  return { projected, exhaustedAt: new Date(now.getTime() + Number(left)) };
}
