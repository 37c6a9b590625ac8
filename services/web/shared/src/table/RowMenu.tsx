import { ActionIcon, Menu } from '@mantine/core';
import { Ellipsis, type LucideIcon } from 'lucide-react';

export interface RowAction {
  label: string;
  icon?: LucideIcon;
  onClick: () => void;
  /** Destroys or ends something. */
  dangerous?: boolean;
}

export function RowMenu({ actions, name }: { actions: RowAction[]; name: string }) {
  if (actions.length === 0) return null;
  return (
    <Menu>
      <Menu.Target>
        <ActionIcon aria-label={`Actions for ${name}`}>
          <Ellipsis size={17} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {actions.map(({ label, icon: Icon, onClick, dangerous }) => (
          <Menu.Item
            key={label}
            {...(dangerous && { color: 'var(--mantine-color-error)' })}
            leftSection={Icon && <Icon size={15} />}
            onClick={onClick}
          >
            {label}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
