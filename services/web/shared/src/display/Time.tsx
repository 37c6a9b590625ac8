import { useSyncExternalStore } from 'react';
import { absolute, relative } from './time';

let now = new Date();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** One clock for all times of the page, which stands while none is shown. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  now = new Date();
  timer ??= setInterval(() => {
    now = new Date();
    listeners.forEach(tick => tick());
  }, 15_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

interface TimeProps {
  at: string;
  /** Instead of a time when there is none. */
  none?: string;
}

/** "3 hours ago"; the time in the viewer's zone is in the title. */
export function Time({ at, none = '\u2013' }: TimeProps) {
  const current = useSyncExternalStore(subscribe, () => now);
  if (!at) return <span>{none}</span>;
  return (
    <time dateTime={at} title={absolute(at)}>
      {relative(at, current)}
    </time>
  );
}
