import type { LucideIcon } from 'lucide-react';

export interface NavigationItem {
  label: string;
  to: string;
  icon: LucideIcon;
  /** Shown when one of these operations is allowed; empty: always. */
  needs?: readonly string[];
}

export interface NavigationGroup {
  label?: string;
  items: readonly NavigationItem[];
}

/** What this role gets to see; groups that are left empty disappear. */
export function visible(
  navigation: readonly NavigationGroup[],
  can: (operation: string) => boolean,
): NavigationGroup[] {
  return navigation
    .map(group => ({
      ...group,
      items: group.items.filter(item => !item.needs?.length || item.needs.some(can)),
    }))
    .filter(group => group.items.length > 0);
}

/** The item that a path belongs to. */
export function itemAt(navigation: readonly NavigationGroup[], pathname: string): NavigationItem | undefined {
  return navigation
    .flatMap(group => group.items)
    .find(({ to }) => pathname === to || (to !== '/' && pathname.startsWith(`${to}/`)));
}
