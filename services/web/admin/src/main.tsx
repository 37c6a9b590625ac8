import '@llm-platform/shared/styles.css';
import { start } from '@llm-platform/shared';
import {
  Building2,
  ChartColumn,
  KeyRound,
  LayoutDashboard,
  ListTree,
  PlugZap,
  ScrollText,
  Users,
  UsersRound,
  Vault,
  Wallet,
  Waypoints,
} from 'lucide-react';

start({
  product: 'Administration',
  otherLabel: 'My keys and usage',
  navigation: [
    { items: [{ label: 'Overview', to: '/', icon: LayoutDashboard }] },
    {
      label: 'Costs',
      items: [
        { label: 'Usage', to: '/usage', icon: ChartColumn, needs: ['GET /api/usage'] },
        { label: 'Budgets', to: '/budgets', icon: Wallet, needs: ['GET /api/budgets'] },
        { label: 'Requests', to: '/requests', icon: ListTree, needs: ['GET /api/entries'] },
      ],
    },
    {
      label: 'Access',
      items: [
        { label: 'Organisations', to: '/organizations', icon: Building2, needs: ['GET /api/organizations'] },
        { label: 'Teams', to: '/teams', icon: UsersRound, needs: ['GET /api/teams'] },
        { label: 'Users', to: '/users', icon: Users, needs: ['GET /api/users'] },
        { label: 'Keys', to: '/keys', icon: KeyRound, needs: ['GET /api/keys'] },
      ],
    },
    {
      label: 'Platform',
      items: [
        { label: 'Providers', to: '/providers', icon: PlugZap, needs: ['GET /api/providers'] },
        { label: 'Routing', to: '/routing', icon: Waypoints, needs: ['GET /api/models'] },
        { label: 'Secrets', to: '/secrets', icon: Vault, needs: ['GET /api/secrets'] },
        { label: 'Audit log', to: '/audit', icon: ScrollText, needs: ['GET /api/audit'] },
      ],
    },
  ],
  pages: [
    { index: true, lazy: () => import('./overview/OverviewPage') },
    { path: 'usage', lazy: () => import('./usage/UsagePage') },
    { path: 'budgets', lazy: () => import('./budgets/BudgetsPage') },
    { path: 'requests', lazy: () => import('./requests/RequestsPage') },
    { path: 'organizations', lazy: () => import('./organizations/OrganizationsPage') },
    { path: 'organizations/:organization', lazy: () => import('./organizations/OrganizationPage') },
    { path: 'teams', lazy: () => import('./teams/TeamsPage') },
    { path: 'teams/:team', lazy: () => import('./teams/TeamPage') },
    { path: 'users', lazy: () => import('./users/UsersPage') },
    { path: 'users/:user', lazy: () => import('./users/UserPage') },
    { path: 'keys', lazy: () => import('./keys/KeysPage') },
    { path: 'keys/:key', lazy: () => import('./keys/KeyPage') },
    { path: 'providers', lazy: () => import('./providers/ProvidersPage') },
    { path: 'routing', lazy: () => import('./routing/RoutingPage') },
    { path: 'secrets', lazy: () => import('./secrets/SecretsPage') },
    { path: 'audit', lazy: () => import('./audit/AuditPage') },
  ],
});
