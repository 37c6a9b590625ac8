const NAMES: Record<string, string> = {
  owner: 'Owner',
  admin: 'Administrator',
  billing_viewer: 'Billing viewer',
  developer: 'Developer',
  read_only: 'Read only',
};

export const roleName = (role: string): string => NAMES[role] ?? role;
