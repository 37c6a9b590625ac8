import { useSyncExternalStore } from 'react';
import { activity } from './activity';

/** For `refetchInterval`: every `seconds`, but not while nobody is at the page (a hidden tab pauses by itself). */
export function useLive(seconds: number): number | false {
  const active = useSyncExternalStore(activity.subscribe, activity.isActive);
  return active && seconds * 1000;
}
