/** Whether somebody is at the page: a tab that was left open must not ask the services for ever. */

const IDLE_AFTER_MS = 15 * 60_000;
const SIGNS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const;

export class Activity {
  private active = true;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly idleAfter = IDLE_AFTER_MS) {}

  /** Listens to `target` until the returned function is called. */
  watch(target: EventTarget): () => void {
    const seen = () => this.seen();
    for (const sign of SIGNS) target.addEventListener(sign, seen, { passive: true });
    this.seen();
    return () => {
      clearTimeout(this.timer);
      for (const sign of SIGNS) target.removeEventListener(sign, seen);
    };
  }

  isActive = (): boolean => this.active;

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private seen(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.set(false), this.idleAfter);
    this.set(true);
  }

  private set(active: boolean): void {
    if (active === this.active) return;
    this.active = active;
    this.listeners.forEach(listener => listener());
  }
}

export const activity = new Activity();
