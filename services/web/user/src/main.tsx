import '@llm-platform/shared/styles.css';
import { start } from '@llm-platform/shared';
import {
  Boxes,
  ChartNoAxesColumn,
  Gauge,
  KeyRound,
  LayoutDashboard,
  MessagesSquare,
  Rocket,
} from 'lucide-react';

start({
  product: 'LLM Platform',
  otherLabel: 'Administration',
  navigation: [
    {
      items: [
        { label: 'Overview', to: '/', icon: LayoutDashboard },
        { label: 'Keys', to: '/keys', icon: KeyRound, needs: ['GET /api/keys'] },
        { label: 'Usage', to: '/usage', icon: ChartNoAxesColumn, needs: ['GET /api/usage'] },
        { label: 'Limits and budgets', to: '/budgets', icon: Gauge },
      ],
    },
    {
      label: 'Build',
      items: [
        { label: 'Models', to: '/models', icon: Boxes, needs: ['GET /api/models'] },
        { label: 'Playground', to: '/playground', icon: MessagesSquare },
        { label: 'Quick start', to: '/quick-start', icon: Rocket },
      ],
    },
  ],
  pages: [
    { index: true, lazy: () => import('./overview/OverviewPage') },
    { path: 'keys', lazy: () => import('./keys/KeysPage') },
    { path: 'usage', lazy: () => import('./usage/UsagePage') },
    { path: 'budgets', lazy: () => import('./budgets/BudgetsPage') },
    { path: 'models', lazy: () => import('./models/ModelsPage') },
    { path: 'playground', lazy: () => import('./playground/PlaygroundPage') },
    { path: 'quick-start', lazy: () => import('./quick-start/QuickStartPage') },
  ],
});
